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
