/** The releases under which clients still call the endpoints of the first media API. */
export const mediaPaths = (path: string): string[] =>
  ['v3', 'r0', 'v1'].map((release) => `/_matrix/media/${release}${path}`)
