export function freeBase(offsets: readonly number[]): Promise<number>
export function freePort(): Promise<number>
