/**
 * The tables of Open WebUI's webui.db as a database has them that began with 0.3 and was migrated up to 0.9: names and
 * columns as its models and migrations declare them. The app itself never switches foreign keys on.
 */
export const schema = `
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));
CREATE TABLE migratehistory (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL, migrated_at DATETIME NOT NULL);
CREATE TABLE "user" (
  id VARCHAR NOT NULL PRIMARY KEY, name VARCHAR, email VARCHAR, username VARCHAR(50), role VARCHAR,
  profile_image_url TEXT, profile_banner_image_url TEXT, bio TEXT, gender TEXT, date_of_birth DATE, timezone VARCHAR,
  last_active_at BIGINT, updated_at BIGINT, created_at BIGINT, settings JSON, info JSON, oauth JSON);
CREATE TABLE auth (id VARCHAR NOT NULL PRIMARY KEY, email VARCHAR, password TEXT, active BOOLEAN);
CREATE TABLE api_key (
  id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, key TEXT NOT NULL UNIQUE, data JSON, expires_at BIGINT,
  last_used_at BIGINT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
  FOREIGN KEY (user_id) REFERENCES "user" (id) ON DELETE CASCADE);
CREATE TABLE oauth_session (
  id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, provider TEXT NOT NULL, token TEXT NOT NULL,
  expires_at BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
  FOREIGN KEY (user_id) REFERENCES "user" (id) ON DELETE CASCADE);
CREATE TABLE config (key TEXT NOT NULL PRIMARY KEY, value JSON NOT NULL, updated_at BIGINT);
CREATE TABLE folder (
  id TEXT NOT NULL, parent_id TEXT, user_id TEXT NOT NULL, name TEXT NOT NULL, items JSON, meta JSON, data JSON,
  is_expanded BOOLEAN NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, PRIMARY KEY (id, user_id));
CREATE TABLE chat (
  id VARCHAR NOT NULL PRIMARY KEY, user_id VARCHAR, title TEXT, chat JSON, created_at BIGINT, updated_at BIGINT,
  share_id TEXT UNIQUE, archived BOOLEAN, pinned BOOLEAN, meta JSON DEFAULT '{}' NOT NULL, folder_id TEXT);
CREATE INDEX folder_id_idx ON chat (folder_id);
CREATE INDEX user_id_pinned_idx ON chat (user_id, pinned);
CREATE INDEX updated_at_user_id_idx ON chat (updated_at, user_id);
CREATE TABLE chat_message (
  id TEXT NOT NULL PRIMARY KEY, chat_id TEXT NOT NULL, user_id TEXT, role TEXT NOT NULL, parent_id TEXT, content JSON,
  model_id TEXT, usage JSON, created_at BIGINT, updated_at BIGINT,
  FOREIGN KEY (chat_id) REFERENCES chat (id) ON DELETE CASCADE);
CREATE INDEX chat_message_chat_idx ON chat_message (chat_id);
CREATE TABLE chatidtag (id VARCHAR NOT NULL PRIMARY KEY, tag_name VARCHAR, chat_id VARCHAR, user_id VARCHAR, timestamp BIGINT);
CREATE TABLE tag (id VARCHAR NOT NULL, name VARCHAR, user_id VARCHAR NOT NULL, meta JSON, CONSTRAINT pk_id_user_id PRIMARY KEY (id, user_id));
CREATE TABLE document (
  collection_name VARCHAR NOT NULL PRIMARY KEY, name VARCHAR UNIQUE, title TEXT, filename TEXT, content TEXT,
  user_id VARCHAR, timestamp BIGINT);
CREATE TABLE file (
  id VARCHAR NOT NULL PRIMARY KEY, user_id VARCHAR, hash TEXT, filename TEXT, path TEXT, data JSON, meta JSON,
  created_at BIGINT, updated_at BIGINT);
CREATE TABLE knowledge (
  id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, name TEXT NOT NULL, description TEXT, meta JSON,
  created_at BIGINT NOT NULL, updated_at BIGINT);
CREATE TABLE knowledge_file (
  id TEXT NOT NULL PRIMARY KEY, knowledge_id TEXT NOT NULL, file_id TEXT NOT NULL, user_id TEXT NOT NULL,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, UNIQUE (knowledge_id, file_id),
  FOREIGN KEY (knowledge_id) REFERENCES knowledge (id) ON DELETE CASCADE,
  FOREIGN KEY (file_id) REFERENCES file (id) ON DELETE CASCADE);
CREATE TABLE memory (id VARCHAR NOT NULL PRIMARY KEY, user_id VARCHAR, content TEXT, updated_at BIGINT, created_at BIGINT);
CREATE TABLE model (
  id TEXT NOT NULL PRIMARY KEY, user_id TEXT, base_model_id TEXT, name TEXT, params JSON, meta JSON,
  is_active BOOLEAN DEFAULT 1 NOT NULL, updated_at BIGINT, created_at BIGINT);
CREATE TABLE tool (
  id VARCHAR NOT NULL PRIMARY KEY, user_id VARCHAR, name TEXT, content TEXT, specs JSON, meta JSON, valves JSON,
  updated_at BIGINT, created_at BIGINT);
CREATE TABLE "function" (
  id VARCHAR NOT NULL PRIMARY KEY, user_id VARCHAR, name TEXT, type TEXT, content TEXT, meta JSON, valves JSON,
  is_active BOOLEAN, is_global BOOLEAN, updated_at BIGINT, created_at BIGINT);
CREATE TABLE prompt (
  id TEXT NOT NULL PRIMARY KEY, command VARCHAR UNIQUE, user_id VARCHAR, name TEXT, content TEXT, data JSON, meta JSON,
  is_active BOOLEAN, created_at BIGINT, updated_at BIGINT);
CREATE TABLE feedback (
  id TEXT NOT NULL PRIMARY KEY, user_id TEXT, version BIGINT, type TEXT, data JSON, meta JSON, snapshot JSON,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL);
CREATE TABLE "group" (
  id TEXT NOT NULL PRIMARY KEY, user_id TEXT, name TEXT, description TEXT, data JSON, meta JSON, permissions JSON,
  created_at BIGINT, updated_at BIGINT);
CREATE TABLE group_member (
  id TEXT NOT NULL PRIMARY KEY, group_id TEXT NOT NULL, user_id TEXT NOT NULL, created_at BIGINT, updated_at BIGINT,
  UNIQUE (group_id, user_id), FOREIGN KEY (group_id) REFERENCES "group" (id) ON DELETE CASCADE,
  FOREIGN KEY (user_id) REFERENCES "user" (id) ON DELETE CASCADE);
CREATE TABLE access_grant (
  id TEXT NOT NULL PRIMARY KEY, resource_type TEXT NOT NULL, resource_id TEXT NOT NULL, principal_type TEXT NOT NULL,
  principal_id TEXT NOT NULL, permission TEXT NOT NULL, created_at BIGINT NOT NULL);
CREATE TABLE channel (
  id TEXT NOT NULL PRIMARY KEY, user_id TEXT, type TEXT, name TEXT, description TEXT, data JSON, meta JSON,
  created_at BIGINT, updated_at BIGINT);
CREATE TABLE message (
  id TEXT NOT NULL PRIMARY KEY, user_id TEXT, channel_id TEXT, parent_id TEXT, content TEXT, data JSON, meta JSON,
  created_at BIGINT, updated_at BIGINT);
CREATE TABLE note (
  id TEXT NOT NULL PRIMARY KEY, user_id TEXT, title TEXT, data JSON, meta JSON, created_at BIGINT, updated_at BIGINT);
`;

/** Alembic's revisions that the lab's server knows, oldest first; the last one is its head. */
export const revisions = ["7e5b5dc7342b", "3af16a1c9fb6", "3c9b0ca343fd", "461111b60977", "3ff2c63645b8"] as const;
