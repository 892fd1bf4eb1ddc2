import { attachment } from './attachment.ts';
import type { FeedType } from './feed.ts';

/** Every log type that can be configured, by its `type`. */
export const feedTypes: Readonly<Record<string, FeedType>> = {
  attachment,
};
