/** What must have happened so often, at least, in a hundred seeds: a world without trouble proves nothing. */
export const FLOORS = {
  fromSeeds: 200,
  perHundred: {
    'merged forks': 100,
    'soft failures': 6,
    'state conflicts': 80,
    restarts: 80,
    partitions: 60,
    'redacted events': 30,
    'lost answers': 20,
    'requests that came twice': 20,
    get_missing_events: 60,
    'rejected events': 15,
    state_ids: 30,
    'rash events': 20,
    'late joins': 3,
    'crashes while fetching': 3,
    'restored backups': 12,
    'crashes after a write': 18,
    'crashes in a transaction': 6,
    'said at once': 1,
    'redactions of what came later': 6,
    'copies of what was redacted': 4,
    // Through servers that lie, and those of them that lacked something first and nothing in the end.
    'joins through liars': 2,
    'joins with a part of the state': 2,
    'joins that were healed': 2,
  },
}

/** A sentence for each of them that is missed. */
export function belowFloors(totals, seeds) {
  return Object.entries(FLOORS.perHundred).flatMap(([name, floor]) => {
    const got = ((totals.get(name) ?? 0) / seeds) * 100
    return got >= floor
      ? []
      : [`too few ${name}: ${got.toFixed(1)} in a hundred seeds, at least ${floor} are wanted`]
  })
}
