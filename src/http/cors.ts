/** On every answer, errors included. SPEC: https://spec.matrix.org/v1.19/client-server-api/#web-browser-clients */
export const CORS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'GET, HEAD, POST, PUT, DELETE, OPTIONS',
  'Access-Control-Allow-Headers': 'X-Requested-With, Content-Type, Authorization, Date',
  'Access-Control-Expose-Headers': 'Retry-After, X-Request-Id, Content-Disposition',
}
