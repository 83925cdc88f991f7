//! Files that runs and calls leave behind: naming and places.
