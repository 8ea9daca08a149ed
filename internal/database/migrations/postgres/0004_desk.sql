-- +goose Up
ALTER TABLE "incident_events" ADD COLUMN "internal" boolean NOT NULL DEFAULT false;
ALTER TABLE "ticket_events" ADD COLUMN "internal" boolean NOT NULL DEFAULT false;
ALTER TABLE "members" ADD COLUMN "mail_incidents" character varying NULL;
CREATE TABLE "notification_mails" ("id" character varying NOT NULL, "organization_id" character varying NOT NULL, "next_attempt_at" timestamptz NULL, "urgency" bigint NOT NULL DEFAULT 0, "attempts" bigint NOT NULL DEFAULT 0, "wakes" bigint NOT NULL DEFAULT 0, "fence" bigint NOT NULL DEFAULT 0, "claimed_until" timestamptz NULL, "state" character varying NOT NULL DEFAULT 'PENDING', "created_at" timestamptz NOT NULL, "sent_at" timestamptz NULL, "last_error" character varying NOT NULL DEFAULT '', "last_error_at" timestamptz NULL, "tenant_id" character varying NOT NULL, "incident_id" character varying NOT NULL, "member_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "notification_mails_tenants_tenant" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE NO ACTION, CONSTRAINT "notification_mails_incidents_incident" FOREIGN KEY ("incident_id") REFERENCES "incidents" ("id") ON DELETE NO ACTION, CONSTRAINT "notification_mails_members_member" FOREIGN KEY ("member_id") REFERENCES "members" ("id") ON DELETE NO ACTION);
CREATE INDEX "notificationmail_claimed_until" ON "notification_mails" ("claimed_until") WHERE claimed_until IS NOT NULL;
CREATE UNIQUE INDEX "notificationmail_incident_id_member_id" ON "notification_mails" ("incident_id", "member_id");
CREATE INDEX "notificationmail_organization_id_urgency_created_at_id" ON "notification_mails" ("organization_id", "urgency", "created_at", "id") WHERE next_attempt_at IS NOT NULL;
CREATE INDEX "notificationmail_organization_id_created_at_id" ON "notification_mails" ("organization_id", "created_at", "id");
CREATE TABLE "notifications" ("id" character varying NOT NULL, "organization_id" character varying NOT NULL, "next_attempt_at" timestamptz NULL, "urgency" bigint NOT NULL DEFAULT 0, "attempts" bigint NOT NULL DEFAULT 0, "wakes" bigint NOT NULL DEFAULT 0, "fence" bigint NOT NULL DEFAULT 0, "claimed_until" timestamptz NULL, "published" boolean NOT NULL, "created_at" timestamptz NOT NULL, "tenant_id" character varying NOT NULL, "incident_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "notifications_tenants_tenant" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE NO ACTION, CONSTRAINT "notifications_incidents_incident" FOREIGN KEY ("incident_id") REFERENCES "incidents" ("id") ON DELETE NO ACTION);
CREATE INDEX "notification_claimed_until" ON "notifications" ("claimed_until") WHERE claimed_until IS NOT NULL;
CREATE UNIQUE INDEX "notification_incident_id" ON "notifications" ("incident_id");
CREATE INDEX "notification_organization_id_created_at_id" ON "notifications" ("organization_id", "created_at", "id") WHERE next_attempt_at IS NOT NULL;
ALTER TABLE "psa_connections" ADD COLUMN "routes" character varying NOT NULL DEFAULT 'ALL', ADD COLUMN "routed_tenants" jsonb NULL, ADD COLUMN "routed_at" timestamptz NULL;
-- The places that Runner.Hold gives (package work): no entity.
CREATE TABLE work_places (
    name text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    place bigint NOT NULL,
    organization_id text COLLATE "C" NOT NULL,
    holder text COLLATE "C" NOT NULL,
    held_until timestamptz NOT NULL,
    PRIMARY KEY (name, key, place)
);
