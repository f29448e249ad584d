export const limitlessRates: Readonly<Record<string, object>>
