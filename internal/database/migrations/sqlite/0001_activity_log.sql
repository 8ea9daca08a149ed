-- The tables that are no entities: the activity log, the detection books and
-- the position up to which a tenant's activity has been taken in.
-- +goose Up
-- What a search needs stands in columns; all the rest is read from raw again
-- (shape names the parser). Logs arrive about in the order of time, so keys begin
-- with it: ids with their hour, the look-ups of an account, a session or an
-- address with the day (since 1970). What is written together then lies
-- together, however many accounts there are; a look-up names its days.
CREATE TABLE activities (
    id text NOT NULL PRIMARY KEY,
    organization_id text NOT NULL,
    tenant_id text NOT NULL,
    account_id text NOT NULL DEFAULT '',
    source text NOT NULL,
    shape text NOT NULL,
    occurred_at datetime NOT NULL,
    day integer NOT NULL,
    recorded_at datetime NOT NULL,
    operation text NOT NULL,
    result text NOT NULL,
    address text NOT NULL,
    country text NOT NULL,
    network_number bigint NOT NULL,
    network_owner text NOT NULL,
    network_kind text NOT NULL,
    session_id text NOT NULL,
    application_id text NOT NULL,
    subject text NOT NULL,
    sender text NOT NULL,
    digest BLOB NOT NULL,
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
    id text NOT NULL PRIMARY KEY,
    organization_id text NOT NULL,
    tenant_id text NOT NULL
) WITHOUT ROWID;

CREATE TABLE books (
    tenant_id text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    period integer NOT NULL,
    organization_id text NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (tenant_id, kind, subject, period)
) WITHOUT ROWID;

CREATE TABLE intake_positions (
    tenant_id text NOT NULL PRIMARY KEY,
    organization_id text NOT NULL,
    position bigint NOT NULL
);
