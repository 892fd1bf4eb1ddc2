import { readFileSync } from 'node:fs';

/** Linux counts in hundredths of a second, whatever its own clock tick is (proc(5), `sysconf(_SC_CLK_TCK)`). */
const TICKS_PER_SECOND = 100;
/** utime, stime, cutime and cstime: fields 14 to 17 of /proc/self/stat, counted here from behind the name, which may hold anything. */
const FIRST_OF_TIMES = 11;

/** CPU time of this process and of all of its children that have ended, s; undefined where there is no /proc. */
export function cpuSeconds(): number | undefined {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const times = fields.slice(FIRST_OF_TIMES, FIRST_OF_TIMES + 4).map(Number);
    return times.reduce((sum, ticks) => sum + ticks, 0) / TICKS_PER_SECOND;
  } catch {
    return undefined;
  }
}
