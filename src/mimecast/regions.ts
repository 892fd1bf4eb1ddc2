import { mimecastOptions } from './options.ts';

/** Where the API 2.0 of each region is, for people who know their region and not its host. */

interface Region {
  readonly baseUrl: string;
  readonly summary: string;
}

const GLOBAL = 'https://api.services.mimecast.com';

/** The hosts that Mimecast has announced for API 2.0 (its notice of 3 June 2025). */
export const REGIONS: Readonly<Record<string, Region>> = {
  global: { baseUrl: GLOBAL, summary: 'every account, wherever it lives' },
  us: { baseUrl: 'https://us-api.services.mimecast.com', summary: 'accounts in the USA; requests stay in the region' },
  uk: { baseUrl: 'https://uk-api.services.mimecast.com', summary: 'accounts in the UK; requests stay in the region' },
};

/** Regions of Mimecast that had a host of their own in API 1.0, and have none in API 2.0: the global one serves them. */
export const SERVED_BY_GLOBAL: readonly string[] = ['eu', 'de', 'ca', 'za', 'au', 'offshore'];

/** Hosts of API 1.0: `eu-api.mimecast.com`, `api.mimecast.com`, `uspcom-api.mimecast-pscom-us.com`. */
const HOST_OF_API_1 = /^(?:[a-z]+-)?api\.mimecast(?:-pscom-us)?\.com$/;

/** The address of the API for the name of a region or a URL; or why the text is neither. For credentials of API 2.0. */
export function baseUrlOf(text: string): { readonly baseUrl: string } | { readonly mistake: string } {
  const name = text.toLowerCase();
  if (SERVED_BY_GLOBAL.includes(name)) return { baseUrl: GLOBAL };
  const region = Object.hasOwn(REGIONS, name) ? REGIONS[name] : undefined;
  if (region !== undefined) return { baseUrl: region.baseUrl };
  if (!text.includes('://')) {
    return { mistake: `expected ${[...Object.keys(REGIONS), ...SERVED_BY_GLOBAL].join(', ')}, or a URL` };
  }
  if (HOST_OF_API_1.test(URL.parse(text)?.hostname ?? '')) {
    return {
      mistake: `that is a host of API 1.0, and a client id belongs to API 2.0: expected ${Object.keys(REGIONS).join(', ')}, or a URL such as ${GLOBAL}`,
    };
  }
  const { data, error } = mimecastOptions.shape.baseUrl.safeParse(text);
  return data === undefined ? { mistake: error?.issues[0]?.message ?? 'expected a URL' } : { baseUrl: data };
}
