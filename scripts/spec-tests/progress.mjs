/** For jest: says after each section how it went, as a server that limits the rate of requests makes a run last hours. */
// oxlint-disable-next-line import/no-default-export -- jest wants a class that is one
export default class Progress {
  onTestFileResult(_test, { testResults, perfStats, failureMessage }) {
    const section = testResults[0]?.ancestorTitles[0] ?? 'a section that did not load'
    const failed = testResults.filter(({ status }) => status === 'failed').length
    const ran = testResults.filter(({ status }) => status === 'passed' || status === 'failed').length
    // Left out by --only, or by what the server is without.
    if (ran === 0 && !failureMessage) return
    const seconds = Math.round((perfStats?.runtime ?? 0) / 1_000)
    const outcome = ran === 0 ? 'did not run' : `${ran - failed} of ${ran} tests passed`
    process.stderr.write(`${section}: ${outcome}, ${seconds} s\n`)
  }
}
