-- +goose Up
CREATE TABLE `new_psa_connections` (`id` text NOT NULL, `organization_id` text NOT NULL, `next_attempt_at` datetime NULL, `urgency` integer NOT NULL DEFAULT (0), `attempts` integer NOT NULL DEFAULT (0), `wakes` integer NOT NULL DEFAULT (0), `fence` integer NOT NULL DEFAULT (0), `claimed_until` datetime NULL, `kind` text NOT NULL, `account` text NOT NULL, `name` text NOT NULL, `fields` json NOT NULL, `credentials` blob NOT NULL, `settings` json NOT NULL, `default_company_id` text NOT NULL DEFAULT (''), `default_company_name` text NOT NULL DEFAULT (''), `calls_per_minute` integer NOT NULL, `public_notes` bool NOT NULL DEFAULT (false), `on_close` text NOT NULL DEFAULT ('ASK'), `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `disconnected_at` datetime NULL, `last_error` text NOT NULL DEFAULT (''), `last_error_reason` text NOT NULL DEFAULT (''), `last_error_at` datetime NULL, `last_success_at` datetime NULL, `changes_since` datetime NULL, `next_probe_at` datetime NULL, `callback_secret` blob NULL, `callback_error` text NOT NULL DEFAULT (''), `callbacks_at` datetime NULL, PRIMARY KEY (`id`));
INSERT INTO `new_psa_connections` (`id`, `organization_id`, `kind`, `name`, `fields`, `credentials`, `settings`, `default_company_id`, `default_company_name`, `calls_per_minute`, `created_at`, `updated_at`, `disconnected_at`, `last_error`, `last_error_reason`, `last_error_at`, `last_success_at`, `changes_since`, `next_probe_at`, `callbacks_at`) SELECT `id`, `organization_id`, `kind`, `name`, `fields`, `credentials`, `settings`, `default_company_id`, `default_company_name`, `calls_per_minute`, `created_at`, `updated_at`, `disconnected_at`, `last_error`, `last_error_reason`, `last_error_at`, `last_success_at`, `changes_since`, `next_probe_at`, `callbacks_at` FROM `psa_connections`;
DROP TABLE `psa_connections`;
ALTER TABLE `new_psa_connections` RENAME TO `psa_connections`;
CREATE INDEX `psaconnection_claimed_until` ON `psa_connections` (`claimed_until`) WHERE claimed_until IS NOT NULL;
CREATE INDEX `psaconnection_organization_id_created_at_id` ON `psa_connections` (`organization_id`, `created_at`, `id`);
CREATE UNIQUE INDEX `psaconnection_organization_id_kind_account` ON `psa_connections` (`organization_id`, `kind`, `account`);
CREATE TABLE `new_tickets` (`id` text NOT NULL, `organization_id` text NOT NULL, `next_attempt_at` datetime NULL, `urgency` integer NOT NULL DEFAULT (0), `attempts` integer NOT NULL DEFAULT (0), `wakes` integer NOT NULL DEFAULT (0), `fence` integer NOT NULL DEFAULT (0), `claimed_until` datetime NULL, `state` text NOT NULL DEFAULT ('PENDING'), `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `wanted_revision` integer NOT NULL, `opened_revision` integer NOT NULL DEFAULT (0), `synced_revision` integer NOT NULL DEFAULT (0), `pushed_closed` bool NOT NULL DEFAULT (false), `pushed_title` text NOT NULL DEFAULT (''), `pushed_severity` text NOT NULL DEFAULT (''), `external_id` text NOT NULL DEFAULT (''), `external_number` text NOT NULL DEFAULT (''), `external_url` text NOT NULL DEFAULT (''), `company_id` text NOT NULL DEFAULT (''), `company_name` text NOT NULL DEFAULT (''), `external_status` text NOT NULL DEFAULT (''), `external_status_id` text NOT NULL DEFAULT (''), `external_closed` bool NOT NULL DEFAULT (false), `seen_at` datetime NULL, `notes_as_of` datetime NULL, `external_board_id` text NOT NULL DEFAULT (''), `doubled` bool NOT NULL DEFAULT (false), `merged` bool NOT NULL DEFAULT (false), `closed_revision` integer NOT NULL DEFAULT (0), `last_error` text NOT NULL DEFAULT (''), `last_error_reason` text NOT NULL DEFAULT (''), `last_error_at` datetime NULL, `incident_id` text NOT NULL, `connection_id` text NOT NULL, `tenant_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `tickets_incidents_tickets` FOREIGN KEY (`incident_id`) REFERENCES `incidents` (`id`) ON DELETE NO ACTION, CONSTRAINT `tickets_psa_connections_tickets` FOREIGN KEY (`connection_id`) REFERENCES `psa_connections` (`id`) ON DELETE NO ACTION, CONSTRAINT `tickets_tenants_tenant` FOREIGN KEY (`tenant_id`) REFERENCES `tenants` (`id`) ON DELETE NO ACTION);
INSERT INTO `new_tickets` (`id`, `organization_id`, `next_attempt_at`, `attempts`, `claimed_until`, `state`, `created_at`, `updated_at`, `wanted_revision`, `opened_revision`, `synced_revision`, `pushed_closed`, `pushed_title`, `pushed_severity`, `external_id`, `external_number`, `external_url`, `company_id`, `company_name`, `external_status`, `external_status_id`, `external_closed`, `seen_at`, `last_error`, `last_error_reason`, `last_error_at`, `incident_id`, `connection_id`, `tenant_id`) SELECT `id`, `organization_id`, `next_attempt_at`, `attempts`, `claimed_until`, `state`, `created_at`, `updated_at`, `wanted_revision`, `opened_revision`, `synced_revision`, `pushed_closed`, `pushed_title`, `pushed_severity`, `external_id`, `external_number`, `external_url`, `company_id`, `company_name`, `external_status`, `external_status_id`, `external_closed`, `seen_at`, `last_error`, `last_error_reason`, `last_error_at`, `incident_id`, `connection_id`, `tenant_id` FROM `tickets`;
DROP TABLE `tickets`;
ALTER TABLE `new_tickets` RENAME TO `tickets`;
CREATE INDEX `ticket_claimed_until` ON `tickets` (`claimed_until`) WHERE claimed_until IS NOT NULL;
CREATE UNIQUE INDEX `ticket_incident_id_connection_id` ON `tickets` (`incident_id`, `connection_id`);
CREATE INDEX `ticket_connection_id_external_id` ON `tickets` (`connection_id`, `external_id`);
CREATE INDEX `ticket_connection_id_urgency_created_at_id` ON `tickets` (`connection_id`, `urgency`, `created_at`, `id`) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX `ticket_organization_id_created_at_id` ON `tickets` (`organization_id`, `created_at`, `id`);
CREATE TABLE `new_ticket_events` (`id` text NOT NULL, `organization_id` text NOT NULL, `at` datetime NOT NULL, `kind` text NOT NULL, `in_psa` bool NOT NULL, `by` text NOT NULL, `text` text NOT NULL, `external_id` text NULL, `ticket_id` text NOT NULL, `tenant_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `ticket_events_tickets_events` FOREIGN KEY (`ticket_id`) REFERENCES `tickets` (`id`) ON DELETE NO ACTION, CONSTRAINT `ticket_events_tenants_tenant` FOREIGN KEY (`tenant_id`) REFERENCES `tenants` (`id`) ON DELETE NO ACTION);
INSERT INTO `new_ticket_events` (`id`, `organization_id`, `at`, `kind`, `in_psa`, `by`, `text`, `ticket_id`, `tenant_id`) SELECT `id`, `organization_id`, `at`, `kind`, `in_psa`, `by`, `text`, `ticket_id`, `tenant_id` FROM `ticket_events`;
DROP TABLE `ticket_events`;
ALTER TABLE `new_ticket_events` RENAME TO `ticket_events`;
CREATE INDEX `ticketevent_ticket_id_at_id` ON `ticket_events` (`ticket_id`, `at`, `id`);
CREATE UNIQUE INDEX `ticketevent_ticket_id_external_id` ON `ticket_events` (`ticket_id`, `external_id`);
CREATE TABLE `ticket_steps` (`id` text NOT NULL, `organization_id` text NOT NULL, `kind` text NOT NULL, `fence` integer NOT NULL, `began_at` datetime NOT NULL, `ended_at` datetime NULL, `outcome` text NOT NULL DEFAULT ('BEGUN'), `external_id` text NOT NULL DEFAULT (''), `sequence` integer NOT NULL DEFAULT (0), `title` text NOT NULL DEFAULT (''), `severity` text NOT NULL DEFAULT (''), `closed` bool NOT NULL DEFAULT (false), `ticket_id` text NOT NULL, `tenant_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `ticket_steps_tickets_steps` FOREIGN KEY (`ticket_id`) REFERENCES `tickets` (`id`) ON DELETE NO ACTION, CONSTRAINT `ticket_steps_tenants_tenant` FOREIGN KEY (`tenant_id`) REFERENCES `tenants` (`id`) ON DELETE NO ACTION);
CREATE INDEX `ticketstep_ticket_id_kind_sequence` ON `ticket_steps` (`ticket_id`, `kind`, `sequence`);
-- The change feed (package change) and the limits of work (package work): no entities.
CREATE TABLE changes (
    id integer PRIMARY KEY AUTOINCREMENT,
    organization_id text NOT NULL,
    tenant_id text NOT NULL DEFAULT '',
    what text NOT NULL,
    object_id text NOT NULL,
    revision integer NOT NULL,
    at datetime NOT NULL
);
CREATE INDEX changes_organization ON changes (organization_id, id);
CREATE INDEX changes_at ON changes (at);
CREATE INDEX changes_pruned ON changes (id) WHERE what = 'PRUNED';
-- What all processes keep to, by limit (connection, tenant, organization) and key.
CREATE TABLE work_limits (
    name text NOT NULL,
    key text NOT NULL,
    organization_id text NOT NULL,
    parallel integer NOT NULL DEFAULT 0,
    per_minute integer NOT NULL DEFAULT 0,
    paused_until datetime,
    failures integer NOT NULL DEFAULT 0,
    reason text NOT NULL DEFAULT '',
    spoken_until datetime,
    minute datetime,
    minute_calls integer NOT NULL DEFAULT 0,
    PRIMARY KEY (name, key)
) WITHOUT ROWID;
