import { limitlessRates } from '../../scripts/spec-tests/synapse-rates.mjs'

/** The configuration of a Synapse for tests: nothing is limited, and a server that was away is tried again at once. */

export interface SynapseConfigOptions {
  readonly folder: string
  readonly serverName: string
  readonly clientPort: number
  readonly federationPort: number
}

/** The file homeserver.yaml; JSON is YAML. Keys and certificates are expected in the folder. */
export function synapseConfig(options: SynapseConfigOptions): string {
  const { folder } = options
  const listener = (port: number, tls: boolean, names: readonly string[]): object => ({
    port,
    tls,
    type: 'http',
    bind_addresses: ['127.0.0.1'],
    resources: [{ names, compress: false }],
  })
  return JSON.stringify({
    server_name: options.serverName,
    public_baseurl: `http://127.0.0.1:${options.clientPort}/`,
    pid_file: `${folder}/pid`,
    listeners: [
      listener(options.clientPort, false, ['client']),
      listener(options.federationPort, true, ['federation']),
    ],
    tls_certificate_path: `${folder}/tls.crt`,
    tls_private_key_path: `${folder}/tls.key`,
    signing_key_path: `${folder}/signing.key`,
    log_config: `${folder}/log.yaml`,
    database: { name: 'sqlite3', args: { database: `${folder}/homeserver.db` } },
    media_store_path: `${folder}/media`,
    report_stats: false,
    macaroon_secret_key: 'the macaroons of the tests',
    form_secret: 'the forms of the tests',
    enable_registration: true,
    enable_registration_without_verification: true,
    bcrypt_rounds: 4,
    trusted_key_servers: [],
    suppress_key_server_warning: true,
    federation_custom_ca_list: [`${folder}/ca.crt`],
    federation_ip_range_blacklist: [],
    ip_range_blacklist: [],
    allow_public_rooms_over_federation: true,
    room_list_publication_rules: [{ action: 'allow' }],
    presence: { enabled: true, sync_online_timeout: '2s' },
    caches: { sync_response_cache_duration: 0 },
    // Numbers are milliseconds.
    federation: {
      client_timeout: '15s',
      max_short_retries: 1,
      max_short_retry_delay: 100,
      max_long_retries: 1,
      max_long_retry_delay: 100,
      destination_min_retry_interval: 100,
      destination_retry_multiplier: 1,
      destination_max_retry_interval: 200,
    },
    ...limitlessRates,
  })
}

/** The file log.yaml. */
export const synapseLogConfig = (folder: string): string =>
  JSON.stringify({
    version: 1,
    formatters: { plain: { format: '%(asctime)s %(levelname)s %(name)s %(request)s %(message)s' } },
    filters: { context: { '()': 'synapse.logging.context.LoggingContextFilter' } },
    handlers: {
      file: {
        class: 'logging.FileHandler',
        filename: `${folder}/log.txt`,
        formatter: 'plain',
        filters: ['context'],
      },
    },
    root: { level: process.env['CHANCERY_SYNAPSE_LOG'] ?? 'INFO', handlers: ['file'] },
    disable_existing_loggers: false,
  })
