-- The tables that are no entities: the activity log, the detection books and
-- the position up to which a tenant's activity has been taken in.
-- +goose Up
-- What a search needs stands in columns; all the rest is read from raw again
-- (shape names the parser). What is written together lies together, however many
-- accounts there are: ids begin with their hour, for logs arrive about in the
-- order of time; the look-ups of an account, a session or an address begin with
-- the run (activity_runs).
CREATE TABLE activities (
    id text NOT NULL PRIMARY KEY,
    organization_id text NOT NULL,
    tenant_id text NOT NULL,
    account_id text NOT NULL DEFAULT '',
    source text NOT NULL,
    shape text NOT NULL,
    occurred_at datetime NOT NULL,
    run integer NOT NULL,
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
CREATE INDEX activities_account ON activities (run, account_id, occurred_at) WHERE account_id <> '';
CREATE INDEX activities_session ON activities (run, session_id, occurred_at) WHERE session_id <> '';
CREATE INDEX activities_address ON activities (run, address, occurred_at) WHERE address <> '';

-- Some thousand activities of a tenant that were stored one after another. A
-- look-up goes through those that reach into the time it asks for.
CREATE TABLE activity_runs (
    run integer NOT NULL PRIMARY KEY,
    organization_id text NOT NULL,
    tenant_id text NOT NULL,
    records integer NOT NULL,
    first_at datetime NOT NULL,
    last_at datetime NOT NULL
);
CREATE INDEX activity_runs_tenant ON activity_runs (tenant_id, run);

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
