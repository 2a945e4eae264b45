//! Buffers, file handles, hashing, recheck and resume.
