"""What a deployment invokes, before traffic: `python -m local.deploy`, settings in the environment.

The scheduler does the same before its schedules; this is for where somebody else deploys.
"""

import asyncio
import os
import sys

from local.functions import load_functions
from local.serve import TEMPLATE
from local.template import Template


async def _deploy(template: Template) -> None:
    functions = load_functions(template)
    try:
        for function in functions:
            if function.spec.on_deploy:
                await function.invoke({})
    finally:
        for function in functions:
            await function.close()
        from flashsale import bootstrap

        await bootstrap.close()


def main() -> int:
    """Return 0 when all is done, 1 when something failed: its reason is the last line."""
    template = Template.read(TEMPLATE)
    for name, value in template.environment.items():
        os.environ.setdefault(name, value)
    try:
        asyncio.run(_deploy(template))
    except Exception as fault:
        print(fault or type(fault).__name__, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
