//! One call: state, media and recording.
