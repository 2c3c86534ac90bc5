-- One set of statements for SQLite and PostgreSQL: BIGINT, TEXT and DOUBLE PRECISION only. Times are microseconds since 1970, UTC.

CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    began BIGINT NOT NULL,
    ended BIGINT,                       -- NULL: it runs, or broke off and was not taken in yet
    mode TEXT NOT NULL,                 -- check, apply
    cause TEXT NOT NULL,                -- operator, schedule, page
    author TEXT NOT NULL,               -- the account, or the schedule's name
    schedule TEXT,                      -- the schedule that it belongs to
    server TEXT NOT NULL,               -- the machine whose folder has the events
    folder TEXT NOT NULL DEFAULT '',    -- which folder of it
    playbooks TEXT NOT NULL,            -- JSON: a list of texts
    version TEXT NOT NULL,
    hosts BIGINT NOT NULL,
    exit_code BIGINT,                   -- NULL although it ended: it broke off
    interrupted BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX runs_began ON runs (began);
CREATE INDEX runs_ended ON runs (ended);

-- The settings whose tasks a run had, and what came of them.
CREATE TABLE run_settings (
    run TEXT NOT NULL,
    setting TEXT NOT NULL,
    hosts BIGINT NOT NULL,              -- that had a task of it and came to their end
    changed BIGINT NOT NULL,            -- hosts on which it changed something
    would BIGINT NOT NULL,              -- hosts on which it would change, or may change
    failed BIGINT NOT NULL,             -- hosts on which it failed
    PRIMARY KEY (run, setting)
);
CREATE INDEX run_settings_setting ON run_settings (setting);

CREATE TABLE hosts (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    owners TEXT NOT NULL DEFAULT '[]',  -- JSON: a list of texts
    groups TEXT NOT NULL DEFAULT '[]',  -- JSON: a list of texts
    state TEXT NOT NULL DEFAULT 'new',  -- new, fine, pending, drifted, failing, unreachable, held
    since BIGINT NOT NULL DEFAULT 0,
    last_look BIGINT,                   -- when somebody last tried
    last_good BIGINT,                   -- when a look last came to its end without a failure
    last_run TEXT
);

-- One row for a host in a run.
CREATE TABLE looks (
    host BIGINT NOT NULL,
    at BIGINT NOT NULL,
    run TEXT NOT NULL,
    state TEXT NOT NULL,                -- as in hosts
    took BIGINT NOT NULL,               -- microseconds
    changed BIGINT NOT NULL DEFAULT 0,
    would BIGINT NOT NULL DEFAULT 0,    -- would change, or may change
    failed BIGINT NOT NULL DEFAULT 0,
    findings BIGINT NOT NULL DEFAULT 0,
    trouble TEXT,                       -- why it could not be reached, or what failed first
    PRIMARY KEY (host, at, run)
);
CREATE INDEX looks_run ON looks (run);
CREATE INDEX looks_at ON looks (at);

-- What is known of one property of one thing on one host, now.
CREATE TABLE items (
    host BIGINT NOT NULL,
    thing TEXT NOT NULL,
    property TEXT NOT NULL,
    setting TEXT,
    task TEXT NOT NULL,
    origin TEXT NOT NULL,               -- FILE:LINE of the task
    seen TEXT,                          -- NULL: absent
    wanted TEXT,
    remembered TEXT,                    -- what the last run left; NULL: absent, or not known
    known BIGINT NOT NULL,              -- 1: remembered is known
    cause TEXT NOT NULL,                -- fine, new, drift, pending, both
    since BIGINT NOT NULL,              -- of this cause: the look that first saw it
    before BIGINT,                      -- the last look that did not see it yet
    looks BIGINT NOT NULL,              -- how many looks in a row saw it open
    difference TEXT,                    -- JSON: the event's Diff; NULL where it is fine
    traces TEXT,                        -- JSON: what is known of when and by whom
    run TEXT NOT NULL,
    cover TEXT NOT NULL DEFAULT '',     -- which things that run looked at: see covers
    PRIMARY KEY (host, thing, property)
);
CREATE INDEX items_open ON items (cause, setting);

-- When somebody last looked at some things of a host: "cover" stands for the set of them. So a look at what did not change writes one row here, and not
-- one for each item.
CREATE TABLE covers (
    host BIGINT NOT NULL,
    cover TEXT NOT NULL,
    at BIGINT NOT NULL,                 -- when the look began
    playbooks TEXT NOT NULL DEFAULT '', -- JSON, of a run of all their tasks: what they do not manage any more is open no longer
    PRIMARY KEY (host, cover)
);

-- Lines of contents, as hashes, by the hash of the content: each once for the whole fleet.
CREATE TABLE contents (
    hash TEXT PRIMARY KEY,
    lines TEXT NOT NULL,
    used BIGINT NOT NULL
);

-- What happened to a host, for its timeline and for who is to be told.
CREATE TABLE transitions (
    id TEXT PRIMARY KEY,                -- RUN/HOST/NUMBER: the same when a run is taken in twice
    host BIGINT NOT NULL,
    at BIGINT NOT NULL,
    run TEXT NOT NULL,
    kind TEXT NOT NULL,                 -- state, item, corrected, hold, flapping
    old TEXT NOT NULL,
    new TEXT NOT NULL,
    thing TEXT,
    property TEXT,
    setting TEXT,
    cause TEXT,
    difference TEXT,                    -- JSON
    before BIGINT,                      -- of drift: the last look that did not see it yet
    traces TEXT,                        -- JSON: what is known of when and by whom, what tells most first
    told BIGINT                         -- when it was decided whom to tell of it; NULL: not yet
);
CREATE INDEX transitions_host ON transitions (host, at);
CREATE INDEX transitions_at ON transitions (at);
CREATE INDEX transitions_run ON transitions (run);
CREATE INDEX transitions_untold ON transitions (at) WHERE told IS NULL;

-- Where hosts stood with settings in the last run that knew.
CREATE TABLE stances (
    host BIGINT NOT NULL,
    setting TEXT NOT NULL,
    stage TEXT NOT NULL,
    mode TEXT NOT NULL,                 -- off, observe, enforce
    why TEXT NOT NULL,
    skip TEXT,                          -- who skips it, until when and why
    at BIGINT NOT NULL,
    PRIMARY KEY (host, setting)
);
CREATE INDEX stances_setting ON stances (setting, mode);
