package main

import "sync"

// A keyspace holds the keys, and counts only the bytes of keys and values as used memory.
type keyspace struct {
	mu     sync.Mutex
	values map[string]string
	used   int64
}

func newKeyspace() *keyspace { return &keyspace{values: map[string]string{}} }

func (k *keyspace) get(key string) (string, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	value, ok := k.values[key]
	return value, ok
}

func (k *keyspace) set(key, value string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.remove(key)
	k.values[key] = value
	k.used += int64(len(key) + len(value))
}

// remove reports whether the key was there. The caller holds the lock.
func (k *keyspace) remove(key string) bool {
	value, ok := k.values[key]
	if ok {
		delete(k.values, key)
		k.used -= int64(len(key) + len(value))
	}
	return ok
}

// del returns how many of the keys were there.
func (k *keyspace) del(keys []string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	gone := 0
	for _, key := range keys {
		if k.remove(key) {
			gone++
		}
	}
	return gone
}

// size returns the number of keys and the memory that they use.
func (k *keyspace) size() (keys int, used int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.values), k.used
}
