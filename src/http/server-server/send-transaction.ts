import { route } from '../route.js'

/** 50 PDUs and 100 EDUs of 64 KiB each, and some air. */
const MAX_BODY = 12.5 * 1024 * 1024

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1sendtxnid */
export const sendTransaction = route({
  id: 'sendTransaction',
  method: 'PUT',
  paths: ['/_matrix/federation/v1/send/{txnId}'],
  auth: 'server',
  // No rate limit: what may wait is bounded, and a refusal makes the sender pause with everything it has.
  body: 'object',
  numbers: 'exact',
  maxBody: MAX_BODY,
  maxValues: 50_000,
  handler: ({ origin, params, body }, { inbound }) =>
    inbound.handleTransaction(origin, params['txnId']!, body),
})
