import { route } from '../../route.js'

/** NOTSPEC: MSC4143, by the path that clients know. */
export const getRtcTransports = route({
  id: 'getRtcTransports',
  method: 'GET',
  paths: ['/_matrix/client/unstable/org.matrix.msc4143/rtc/transports'],
  auth: 'user',
  rateLimit: 'read',
  handler: (_call, { serverInfo }) => Promise.resolve(serverInfo.rtcTransports()),
})
