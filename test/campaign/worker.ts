/** Runs one campaign after the other, as its parent asks for them over the channel: a process, so that several run side by side. */
import { type RunOptions, type RunResult, runCampaign } from './campaign.ts';

/** What the parent sends. */
export interface Assignment extends Omit<RunOptions, 'onFault'> {
  readonly verbose: boolean;
}

/** What it is answered. */
export type Answer = { readonly result: RunResult } | { readonly failure: string };

process.on('message', ({ verbose, ...options }: Assignment) => {
  const onFault: RunOptions['onFault'] = (planned) => console.error(JSON.stringify(planned));
  runCampaign({ ...options, ...(verbose && { onFault }) }).then(
    (result) => answer({ result }),
    (error: unknown) =>
      answer({ failure: error instanceof Error ? `${error.message}: ${error.cause}` : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));

function answer(content: Answer): void {
  process.send?.(content);
}
