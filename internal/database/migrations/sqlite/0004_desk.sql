-- +goose Up
ALTER TABLE `incident_events` ADD COLUMN `internal` bool NOT NULL DEFAULT false;
ALTER TABLE `ticket_events` ADD COLUMN `internal` bool NOT NULL DEFAULT false;
ALTER TABLE `psa_connections` ADD COLUMN `routes` text NOT NULL DEFAULT 'ALL';
ALTER TABLE `psa_connections` ADD COLUMN `routed_tenants` json NULL;
ALTER TABLE `psa_connections` ADD COLUMN `routed_at` datetime NULL;
ALTER TABLE `members` ADD COLUMN `mail_incidents` text NULL;
CREATE TABLE `notifications` (`id` text NOT NULL, `organization_id` text NOT NULL, `next_attempt_at` datetime NULL, `urgency` integer NOT NULL DEFAULT (0), `attempts` integer NOT NULL DEFAULT (0), `wakes` integer NOT NULL DEFAULT (0), `fence` integer NOT NULL DEFAULT (0), `claimed_until` datetime NULL, `published` bool NOT NULL, `created_at` datetime NOT NULL, `tenant_id` text NOT NULL, `incident_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `notifications_tenants_tenant` FOREIGN KEY (`tenant_id`) REFERENCES `tenants` (`id`) ON DELETE NO ACTION, CONSTRAINT `notifications_incidents_incident` FOREIGN KEY (`incident_id`) REFERENCES `incidents` (`id`) ON DELETE NO ACTION);
CREATE INDEX `notification_claimed_until` ON `notifications` (`claimed_until`) WHERE claimed_until IS NOT NULL;
CREATE UNIQUE INDEX `notification_incident_id` ON `notifications` (`incident_id`);
CREATE INDEX `notification_organization_id_created_at_id` ON `notifications` (`organization_id`, `created_at`, `id`) WHERE next_attempt_at IS NOT NULL;
CREATE TABLE `notification_mails` (`id` text NOT NULL, `organization_id` text NOT NULL, `next_attempt_at` datetime NULL, `urgency` integer NOT NULL DEFAULT (0), `attempts` integer NOT NULL DEFAULT (0), `wakes` integer NOT NULL DEFAULT (0), `fence` integer NOT NULL DEFAULT (0), `claimed_until` datetime NULL, `state` text NOT NULL DEFAULT ('PENDING'), `created_at` datetime NOT NULL, `sent_at` datetime NULL, `last_error` text NOT NULL DEFAULT (''), `last_error_at` datetime NULL, `tenant_id` text NOT NULL, `incident_id` text NOT NULL, `member_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `notification_mails_tenants_tenant` FOREIGN KEY (`tenant_id`) REFERENCES `tenants` (`id`) ON DELETE NO ACTION, CONSTRAINT `notification_mails_incidents_incident` FOREIGN KEY (`incident_id`) REFERENCES `incidents` (`id`) ON DELETE NO ACTION, CONSTRAINT `notification_mails_members_member` FOREIGN KEY (`member_id`) REFERENCES `members` (`id`) ON DELETE NO ACTION);
CREATE INDEX `notificationmail_claimed_until` ON `notification_mails` (`claimed_until`) WHERE claimed_until IS NOT NULL;
CREATE UNIQUE INDEX `notificationmail_incident_id_member_id` ON `notification_mails` (`incident_id`, `member_id`);
CREATE INDEX `notificationmail_organization_id_urgency_created_at_id` ON `notification_mails` (`organization_id`, `urgency`, `created_at`, `id`) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX `notificationmail_organization_id_created_at_id` ON `notification_mails` (`organization_id`, `created_at`, `id`);
-- The places that Runner.Hold gives (package work): no entity.
CREATE TABLE work_places (
    name text NOT NULL,
    key text NOT NULL,
    place integer NOT NULL,
    organization_id text NOT NULL,
    holder text NOT NULL,
    held_until datetime NOT NULL,
    PRIMARY KEY (name, key, place)
) WITHOUT ROWID;
