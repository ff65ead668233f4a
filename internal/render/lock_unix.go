//go:build !windows

package render

import (
	"errors"
	"os"
	"syscall"
)

// lock keeps other runs out of the folder until unlock is called or the process ends. A shared lock only keeps out runs
// that write.
//
// The lock is on the folder itself, so it leaves nothing behind. On file systems that can only lock files (NFS), a lock
// file is created.
func lock(root *os.Root, shared bool, waiting func()) (unlock func(), err error) {
	on, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	how := syscall.LOCK_EX
	if shared {
		how = syscall.LOCK_SH
	}
	err = flock(on, how|syscall.LOCK_NB)
	switch {
	case err == nil:
	case errors.Is(err, syscall.EWOULDBLOCK):
		waiting()
		err = flock(on, how)
	case shared: // a check writes nothing, not even a lock file
		err = nil
	default:
		_ = on.Close()
		if on, err = root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
			return nil, err
		}
		err = flock(on, how)
	}
	if err != nil {
		_ = on.Close()
		return nil, err
	}
	return func() { _ = on.Close() }, nil
}

func flock(on *os.File, how int) error {
	for {
		if err := syscall.Flock(int(on.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
