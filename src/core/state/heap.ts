export interface Heap<T> {
  push(item: T): void
  /** Takes the smallest item out; undefined when there is none. */
  pop(): T | undefined
}

/** A binary heap. */
export function createHeap<T>(compare: (a: T, b: T) => number): Heap<T> {
  const items: T[] = []
  const at = (index: number): T => items[index] as T
  const swap = (a: number, b: number): void => {
    const item = at(a)
    items[a] = at(b)
    items[b] = item
  }
  return {
    push(item) {
      items.push(item)
      let index = items.length - 1
      while (index > 0) {
        const parent = (index - 1) >> 1
        if (compare(at(parent), at(index)) <= 0) break
        swap(parent, index)
        index = parent
      }
    },
    pop() {
      const top = items[0]
      const last = items.pop()
      if (items.length === 0 || last === undefined) return top
      items[0] = last
      let index = 0
      for (;;) {
        const left = 2 * index + 1
        if (left >= items.length) break
        const right = left + 1
        const child = right < items.length && compare(at(right), at(left)) < 0 ? right : left
        if (compare(at(index), at(child)) <= 0) break
        swap(index, child)
        index = child
      }
      return top
    },
  }
}
