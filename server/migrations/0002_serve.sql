-- What a server that runs schedules knows and promises.

CREATE TABLE schedules (
    id TEXT PRIMARY KEY,                -- its name
    definition TEXT NOT NULL,           -- JSON, as it was last read
    due BIGINT,                         -- the next round; NULL: none
    last_round TEXT
);

CREATE TABLE rounds (
    id TEXT PRIMARY KEY,                -- SCHEDULE@DUE
    schedule TEXT NOT NULL,
    due BIGINT NOT NULL,
    state TEXT NOT NULL,                -- waiting, looking, deciding, correcting, done, skipped, stopped
    why TEXT,                           -- of skipped and stopped
    began BIGINT,
    ended BIGINT,
    hosts BIGINT NOT NULL DEFAULT 0,
    drifted BIGINT NOT NULL DEFAULT 0,
    corrected BIGINT NOT NULL DEFAULT 0,
    author TEXT                         -- who asked for it, where no clock did
);
CREATE INDEX rounds_schedule ON rounds (schedule, due);
CREATE INDEX rounds_state ON rounds (state);

-- Who works on what: "round:ID", "host:NAME".
CREATE TABLE leases (
    what TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    fence BIGINT NOT NULL,              -- rises with every claim
    until BIGINT NOT NULL
);

-- What a round does with a host.
CREATE TABLE jobs (
    round TEXT NOT NULL,
    host TEXT NOT NULL,
    at BIGINT NOT NULL,                 -- not before
    state TEXT NOT NULL,                -- waiting, looked, to_correct, corrected, failed, unreachable, held, gone
    run TEXT,
    open TEXT NOT NULL DEFAULT '[]',    -- JSON: the settings whose tasks would still change something; null: tasks without one
    drifted BIGINT NOT NULL DEFAULT 0,  -- 1: something was open in this round
    allowed TEXT NOT NULL DEFAULT '{}', -- JSON: which tasks may correct it
    PRIMARY KEY (round, host)
);

-- Holds that were put on hosts here; those in a file on the host are the host's own.
CREATE TABLE holds (
    host TEXT PRIMARY KEY,
    author TEXT NOT NULL,
    began BIGINT NOT NULL,
    until BIGINT NOT NULL,
    reason TEXT NOT NULL
);

-- When something was last done that is done now and then: "told".
CREATE TABLE marks (
    what TEXT PRIMARY KEY,
    at BIGINT NOT NULL
);

-- Hosts of which nothing is told, until they were quiet for long enough.
CREATE TABLE flapping (
    host BIGINT PRIMARY KEY,
    since BIGINT NOT NULL
);

-- What is to be told, until it was. Who delivers one counts `tries` up and puts `next_try` off: others then leave it alone, and take it up
-- where he does not come back.
CREATE TABLE outbox (
    id TEXT PRIMARY KEY,                -- made of the address and of what it tells
    at BIGINT NOT NULL,
    recipient TEXT NOT NULL,            -- the owners' names, or "operators"
    channel TEXT NOT NULL,              -- mailto:…, https:…, stdout:
    subject TEXT NOT NULL,
    body TEXT NOT NULL,                 -- JSON: the whole message
    tries BIGINT NOT NULL DEFAULT 0,
    forgiven BIGINT NOT NULL DEFAULT 0, -- of these, the tries before somebody had it tried anew
    revived BIGINT,                     -- when that was
    next_try BIGINT NOT NULL,
    delivered BIGINT,
    dead BIGINT,                        -- when it was given up
    trouble TEXT                        -- why the last attempt failed
);
CREATE INDEX outbox_open ON outbox (next_try) WHERE delivered IS NULL AND dead IS NULL;
CREATE INDEX outbox_at ON outbox (at);

-- Who did what on the page.
CREATE TABLE actions (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    author TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,               -- login, logout, refused, check, correct, hold, release, object, retry, rename, forget
    object TEXT NOT NULL,
    detail TEXT NOT NULL,               -- JSON
    outcome TEXT NOT NULL               -- begun, done, refused, failed
);
CREATE INDEX actions_at ON actions (at);

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,                -- the SHA-256 of the token that the browser has
    author TEXT NOT NULL,
    role TEXT NOT NULL,                 -- reader, operator; begun: a login at a provider that is not over
    began BIGINT NOT NULL,
    used BIGINT NOT NULL,
    proof TEXT NOT NULL                 -- what has to be so still: the SHA-256 of the account's hash, or the provider; of a login that is
                                        -- begun there, what it has to come back with
);
