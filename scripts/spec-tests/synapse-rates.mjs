/** Rates that no test reaches, for the configuration of a Synapse. */
const MANY = { per_second: 99_999, burst_count: 99_999 }

/** The same for each of the settings. */
const each = (...names) => Object.fromEntries(names.map((name) => [name, MANY]))

/** @see https://element-hq.github.io/synapse/latest/usage/configuration/config_documentation.html#ratelimiting */
export const limitlessRates = {
  ...each('rc_message', 'rc_registration', 'rc_registration_token_validity', 'rc_admin_redaction', 'rc_joins_per_room'),
  ...each('rc_key_requests', 'rc_third_party_invite', 'rc_media_create', 'rc_room_creation', 'rc_profile', 'rc_reports'),
  ...each('rc_user_directory', 'rc_delayed_event_mgmt', 'rc_3pid_validation'),
  rc_login: each('address', 'account', 'failed_attempts'),
  rc_joins: each('local', 'remote'),
  rc_invites: each('per_room', 'per_user', 'per_issuer'),
  rc_presence: each('per_user'),
  rc_federation: { window_size: 1_000, sleep_limit: 99_999, sleep_delay: 1, reject_limit: 99_999, concurrent: 50 },
} // prettier-ignore
