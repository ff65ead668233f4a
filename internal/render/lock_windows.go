package render

import (
	"os"

	"golang.org/x/sys/windows"
)

// lock keeps other runs out of the folder until unlock is called or the process ends. Windows can only lock files.
func lock(root *os.Root, shared bool, waiting func()) (unlock func(), err error) {
	if shared {
		return func() {}, nil // a check writes nothing, not even a lock file
	}
	on, err := root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	handle, overlapped := windows.Handle(on.Fd()), new(windows.Overlapped)
	if windows.LockFileEx(handle, windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, overlapped) != nil {
		waiting()
		if err := windows.LockFileEx(handle, windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, overlapped); err != nil {
			_ = on.Close()
			return nil, err
		}
	}
	return func() { _ = on.Close() }, nil
}
