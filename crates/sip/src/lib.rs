//! Sans-IO SIP engine.
