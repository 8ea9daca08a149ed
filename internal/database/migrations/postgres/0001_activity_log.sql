-- The tables that are no entities: the activity log, the detection books and
-- the position up to which a tenant's activity has been taken in.
-- +goose Up
-- What a search needs stands in columns; all the rest is read from raw again
-- (shape names the parser). Logs arrive about in the order of time, so keys begin
-- with it: ids with their hour, the look-ups of an account, a session or an
-- address with the day (since 1970). What is written together then lies
-- together, however many accounts there are; a look-up names its days.
CREATE TABLE activities (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    account_id text COLLATE "C" NOT NULL DEFAULT '',
    source text COLLATE "C" NOT NULL,
    shape text COLLATE "C" NOT NULL,
    occurred_at timestamptz NOT NULL,
    day integer NOT NULL,
    recorded_at timestamptz NOT NULL,
    operation text COLLATE "C" NOT NULL,
    result text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL,
    network_number bigint NOT NULL,
    network_owner text COLLATE "C" NOT NULL,
    network_kind text COLLATE "C" NOT NULL,
    session_id text COLLATE "C" NOT NULL,
    application_id text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    sender text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    raw text NOT NULL
);
CREATE INDEX activities_organization_time ON activities (organization_id, occurred_at, id);
CREATE INDEX activities_tenant_time ON activities (tenant_id, occurred_at, id);
CREATE INDEX activities_account ON activities (tenant_id, day, account_id, occurred_at) WHERE account_id <> '';
CREATE INDEX activities_session ON activities (tenant_id, day, session_id, occurred_at) WHERE session_id <> '';
CREATE INDEX activities_address ON activities (tenant_id, day, address, occurred_at) WHERE address <> '';

-- The activities that were dropped by age: should they come again, detection
-- has counted them already.
CREATE TABLE dropped_activities (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL,
    tenant_id text COLLATE "C" NOT NULL
);

CREATE TABLE books (
    tenant_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    period integer NOT NULL,
    organization_id text COLLATE "C" NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (tenant_id, kind, subject, period)
);

-- Books are compact already: compressing them again only takes time.
ALTER TABLE books ALTER COLUMN data SET STORAGE EXTERNAL;
-- Most fit in a page: a row of its own pieces would be written with each.
ALTER TABLE books SET (toast_tuple_target = 8160);

CREATE TABLE intake_positions (
    tenant_id text COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL,
    position bigint NOT NULL
);
