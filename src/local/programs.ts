import { tools, type Tool } from './pins.ts';
import { obtainTool, type ToolOptions } from './tools.ts';

export type ProgramName = keyof typeof tools;
/** Paths of the programs that a stack runs. */
export type Programs = Readonly<Partial<Record<ProgramName, string>>>;

/** Finds or builds the programs; one after the other, as each build uses all cores. */
export async function obtainPrograms(names: readonly ProgramName[], options: ToolOptions): Promise<Programs> {
  const paths: Partial<Record<ProgramName, string>> = {};
  for (const name of names) {
    const tool: Tool = tools[name];
    paths[name] = (await obtainTool(tool, options)).path;
  }
  return paths;
}

export function program(programs: Programs, name: ProgramName): string {
  const path = programs[name];
  if (path === undefined) throw new Error(`${name} was not obtained before it is used`);
  return path;
}
