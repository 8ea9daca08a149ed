-- The tables that are no entities: the activity log, the detection books and
-- the position up to which a tenant's activity has been taken in.
-- +goose Up
-- What a search needs stands in columns; all the rest is read from raw again
-- (shape names the parser).
CREATE TABLE activities (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    account_id text COLLATE "C" NOT NULL DEFAULT '',
    source text COLLATE "C" NOT NULL,
    shape text COLLATE "C" NOT NULL,
    occurred_at timestamptz NOT NULL,
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
CREATE INDEX activities_account_time ON activities (tenant_id, account_id, occurred_at) WHERE account_id <> '';
CREATE INDEX activities_session ON activities (tenant_id, session_id, occurred_at) WHERE session_id <> '';
CREATE INDEX activities_address ON activities (tenant_id, address, occurred_at) WHERE address <> '';

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

CREATE TABLE intake_positions (
    tenant_id text COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL,
    position bigint NOT NULL
);
