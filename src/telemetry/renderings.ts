import { type Rendering, render } from '../page/parts.ts';
import type { PageQuery } from '../page/query.ts';
import type { SpanName, View } from '../status/view.ts';

/** The page as it is now, made once for all who look at the same of it. */
export class Renderings {
  readonly #view: (span: SpanName) => View;
  readonly #fresh: number;
  readonly #made = new Map<string, { readonly at: number; readonly rendering: Rendering }>();

  /** What is younger than `fresh`, ms, is as good as new: who loads the page again and again costs no more than one reading in that time. */
  constructor(view: (span: SpanName) => View, fresh: number) {
    this.#view = view;
    this.#fresh = fresh;
  }

  /** Throws what reading the store throws. */
  of({ span, masked }: Pick<PageQuery, 'span' | 'masked'>): Rendering {
    const key = `${span} ${masked}`;
    const made = this.#made.get(key);
    // By the clock that never steps: a page must not freeze because the machine's clock was set back.
    const now = performance.now();
    if (made !== undefined && now - made.at < this.#fresh) return made.rendering;
    const rendering = render(this.#view(span), masked);
    this.#made.set(key, { at: now, rendering });
    return rendering;
  }
}
