export interface Results {
  readonly operations: readonly {
    readonly id: string
    readonly tests: readonly { readonly name: string; readonly outcome: string }[]
  }[]
}
export function collect(report: object, only?: string): Results
