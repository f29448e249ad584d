/** What one transaction may hold. SPEC: https://spec.matrix.org/v1.19/server-server-api/#transactions */
export const MAX_PDUS = 50
export const MAX_EDUS = 100
