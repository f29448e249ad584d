import type { Migration } from '../migrate.js'

export const reportCases: Migration = {
  id: 40,
  name: 'report-cases',
  sql: `
-- What becomes of reports: one case for each. state: open, assigned or closed. due_ts: until when it is to be closed. told: 1 once somebody was told
-- that it is overdue. resolution: upheld or rejected; comment: in words, for other moderators.
CREATE TABLE report_cases (
  report_id INTEGER PRIMARY KEY,
  state TEXT NOT NULL,
  assignee TEXT,
  due_ts INTEGER NOT NULL,
  told INTEGER NOT NULL,
  resolution TEXT,
  comment TEXT,
  closed_by TEXT,
  closed_ts INTEGER
) STRICT;
-- The queue: what is due first; and what is overdue.
CREATE INDEX report_cases_queue ON report_cases (state, due_ts);

INSERT INTO report_cases (report_id, state, assignee, due_ts, told, resolution, comment, closed_by, closed_ts)
SELECT report_id, 'open', NULL, created_ts + 86400000, 0, NULL, NULL, NULL, NULL FROM reports;
`,
}
