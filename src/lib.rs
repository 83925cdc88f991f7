//! offhook.
