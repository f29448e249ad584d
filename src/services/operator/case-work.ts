import type { JsonObject } from '../../core/json/value.js'

/** What may be done with a case of the moderators at the command line. */
export type CaseRequest =
  | { readonly do: 'list'; readonly overdue: boolean; readonly limit: number }
  | { readonly do: 'show'; readonly id: number }
  | { readonly do: 'assign'; readonly id: number; readonly assignee: string | null }
  | {
      readonly do: 'close'
      readonly id: number
      readonly resolution: 'upheld' | 'rejected'
      readonly comment?: string | undefined
    }
  | {
      readonly do: 'act'
      readonly id: number
      readonly action: CaseActionName
      readonly reason?: string | undefined
    }

export type CaseActionName = 'redact' | 'lock' | 'suspend' | 'quarantine_media' | 'shut_down_room'

/** The desk, in the hands of whoever has the machine: each act is in the audit log. */
export interface CaseDesk {
  list(query: {
    readonly overdue: boolean
    readonly from: number
    readonly limit: number
  }): Promise<JsonObject>
  details(caseId: number): Promise<JsonObject>
  assign(caseId: number, assignee: string | null, by: undefined): Promise<JsonObject>
  close(
    caseId: number,
    end: { readonly resolution: 'upheld' | 'rejected'; readonly comment: string | undefined },
    by: undefined,
  ): Promise<JsonObject>
  act(
    caseId: number,
    wish: { readonly action: CaseActionName; readonly reason: string | undefined },
    by: undefined,
  ): Promise<JsonObject>
}

export async function workOnCase(desk: CaseDesk, request: CaseRequest): Promise<JsonObject> {
  switch (request.do) {
    case 'list':
      return await desk.list({ overdue: request.overdue, from: 0, limit: request.limit })
    case 'show':
      return await desk.details(request.id)
    case 'assign':
      return await desk.assign(request.id, request.assignee, undefined)
    case 'close':
      return await desk.close(
        request.id,
        { resolution: request.resolution, comment: request.comment },
        undefined,
      )
    case 'act':
      return await desk.act(request.id, { action: request.action, reason: request.reason }, undefined)
  }
}
