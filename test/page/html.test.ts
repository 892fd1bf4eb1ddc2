import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { html } from '../../src/page/html.ts';

describe('html', () => {
  it('escapes what could end a text or a quoted attribute, and takes pieces of its own as they are', () => {
    const name = `"><script>alert('1')</script>&amp;`;
    expect(html`<p title="${name}">${[name, html`<b>${1}</b>`, null]}</p>`.toString()).toBe(
      '<p title="&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;">&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;<b>1</b></p>',
    );
  });

  it('names what cannot be seen', () => {
    expect(html`${'a\u202eb\u0000c\u200dd'}`.toString()).toBe('aU+202EbU+0000cU+200Dd');
  });

  it('lets no text through that a parser would read as markup', () => {
    const hostile = fc.string({ unit: fc.constantFrom(...'<>"\'&/=!-- `', 'a', '\u0000', '\u202e', '\ufffe') });
    fc.assert(
      fc.property(hostile, (text) => {
        const markup = html`${text}`.toString();
        expect(markup).not.toMatch(/[<>"']/);
        expect(markup.replace(/&(?:amp|lt|gt|quot|#39);/g, '')).not.toContain('&');
      }),
    );
  });
});

describe('the templates', () => {
  const folder = join(import.meta.dirname, '../../src/page');
  const sources = readdirSync(folder).filter((name) => name.endsWith('.ts'));

  it.each(sources)('of %s put values between tags or quotes, and have no style, script or handler inside', (name) => {
    const text = readFileSync(join(folder, name), 'utf8');
    expect(text).not.toMatch(/<[a-z][^>`]*\s[\w-]+=\$\{/);
    expect(text).not.toMatch(/\sstyle="|<style|\son\w+="|<script(?! type="module" src=)|javascript:|\bsrc="https?:/);
  });
});
