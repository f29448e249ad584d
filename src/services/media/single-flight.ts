/** Gives everyone who asks for the same key while the work is under way the outcome of that one piece of work. */
export function createSingleFlight<T>(): (key: string, work: () => Promise<T>) => Promise<T> {
  const flights = new Map<string, Promise<T>>()
  return (key, work) => {
    const running = flights.get(key)
    if (running !== undefined) return running
    const flight = work().finally(() => flights.delete(key))
    flights.set(key, flight)
    return flight
  }
}
