export function readWaits(
  path: string,
): { readonly seconds: number; readonly most: readonly (readonly [string, number])[] } | undefined
