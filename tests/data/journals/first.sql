-- A journal's database as the first version wrote it (layout 1).
BEGIN;
CREATE TABLE events (
  seq   INTEGER PRIMARY KEY,
  at    INTEGER NOT NULL,
  phone TEXT,
  call  INTEGER,
  run   INTEGER,
  kind  TEXT NOT NULL,
  cause TEXT NOT NULL,
  data  TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_phone ON events (phone) WHERE phone IS NOT NULL;
CREATE INDEX events_of_call ON events (call) WHERE call IS NOT NULL;
CREATE INDEX events_of_run ON events (run) WHERE run IS NOT NULL;
CREATE INDEX events_of_kind ON events (kind);
INSERT INTO events VALUES (1, 1767323045678901000, NULL, NULL, NULL, 'system.started', '"start"', '{"version":"0.1.0"}');
INSERT INTO events VALUES (2, 1767323045679000000, 'a', 0, NULL, 'call.placed', '{"command":{"surface":"mcp","request":"7"}}', '{"target":"sip:606@pbx.example","local":"sip:6001@pbx.example","sip_call_id":"x"}');
INSERT INTO events VALUES (3, 1767323045680000000, 'a', 0, NULL, 'call.ended', '{"sip":{"seq":2}}', '{"by":"remote","cause":"rejected","status":486,"reason":"Busy Here","duration_ms":0}');
INSERT INTO events VALUES (4, 1767323045681000000, NULL, NULL, 1, 'run.log', '{"run":{"run":"run-1","hook":"steps"}}', '{"message":"busy"}');
CREATE TRIGGER no_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER no_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER in_order BEFORE INSERT ON events WHEN NEW.seq <= (SELECT max(seq) FROM events)
  BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
PRAGMA user_version = 1;
COMMIT;
