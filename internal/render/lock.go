package render

// lockFile is locked where a folder cannot be. It is hidden, empty, and stays: to remove it would let two
// runs in that lock two files of the same name.
const lockFile = ".dragonfly-generator.lock"
