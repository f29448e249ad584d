import type { Migration } from '../migrate.js'

export const adminBot: Migration = {
  id: 45,
  name: 'admin-bot',
  sql: `
-- The room in which the administration bot is commanded, by the bot's user id. pos: up to where its messages were read.
CREATE TABLE admin_bot_rooms (
  user_id TEXT PRIMARY KEY,
  room_id TEXT NOT NULL,
  pos INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Messages to the bot that want an answer, each once. state: waiting for a code, running, done (the outcome is there, and nobody was told), refused
-- (the same, for who may not command), told. command: its name, or empty. arguments: a JSON object. will: what was said to happen. outcome: JSON.
-- has_secret: 1 where the answer has what is kept nowhere. prompt_id: the message that asks for a code. ts: when it was taken up; until_ts: until when a code
-- is waited for. Milliseconds since 1970.
CREATE TABLE admin_bot_commands (
  event_id TEXT PRIMARY KEY,
  pos INTEGER NOT NULL,
  sender TEXT NOT NULL,
  command TEXT NOT NULL,
  arguments TEXT NOT NULL,
  will TEXT NOT NULL,
  state TEXT NOT NULL,
  outcome TEXT,
  has_secret INTEGER NOT NULL,
  prompt_id TEXT,
  ts INTEGER NOT NULL,
  until_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- What is to be done, in order.
CREATE INDEX admin_bot_commands_open ON admin_bot_commands (pos) WHERE state <> 'told';
-- What is long over is deleted.
CREATE INDEX admin_bot_commands_old ON admin_bot_commands (ts) WHERE state = 'told';

-- Messages with codes and passwords, which the bot takes back.
CREATE TABLE admin_bot_redactions (
  event_id TEXT PRIMARY KEY,
  due_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- What is due next.
CREATE INDEX admin_bot_redactions_due ON admin_bot_redactions (due_ts);
`,
}
