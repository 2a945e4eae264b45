//! The API as its callers meet it: what is answered, and who is refused.
