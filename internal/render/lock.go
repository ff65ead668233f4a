package render

// lockFile is locked if the folder itself cannot be. It is hidden and empty, and it is never removed: otherwise, two runs
// could each lock a different file of this name.
const lockFile = ".dragonfly-generator.lock"
