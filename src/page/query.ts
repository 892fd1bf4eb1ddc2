import type { SpanName } from '../status/view.ts';

/** What the address of the page may ask for. */
export interface PageQuery {
  /** `?span=7d`: how far back the timelines go. */
  readonly span: SpanName;
  /** `?mask=1`: names of people and files are not sent. */
  readonly masked: boolean;
  /** False where strangers may look: names are masked then, whatever is asked for. */
  readonly mayShowNames: boolean;
  /** `?theme=dark`, for a screen on the wall; null follows the system. */
  readonly theme: 'dark' | 'light' | null;
}

/** Reads the query of a request's URL. What is not known falls back to what an address without it means. */
export function pageQuery(url: string, mayShowNames: boolean): PageQuery {
  const given = new URLSearchParams(url.split('?').slice(1).join('?').split('#', 1)[0]);
  const theme = given.get('theme');
  return {
    span: given.get('span') === '7d' ? '7d' : '24h',
    masked: !mayShowNames || given.get('mask') === '1',
    mayShowNames,
    theme: theme === 'dark' || theme === 'light' ? theme : null,
  };
}

/** The address of the page with something changed; relative, so that it also holds behind a proxy's path. */
export function linkTo(query: PageQuery, changes: Partial<PageQuery> = {}): string {
  return `?${queryText({ ...query, ...changes })}`;
}

export function queryText({ span, masked, theme }: PageQuery): string {
  const parts = [span === '7d' ? 'span=7d' : '', masked ? 'mask=1' : '', theme === null ? '' : `theme=${theme}`];
  return parts.filter((part) => part !== '').join('&');
}
