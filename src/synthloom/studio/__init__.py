"""The studio: from a file to a synthetic file in a browser, on one's own machine.

    synthloom studio

A small server of pages (`web`) that never computes: what takes time is done by worker processes (`work`), which `jobs`
and `explorer` start, and everything that both know lies in a folder for each project (`projects`). So the pages answer
at once whatever is going on, a worker that dies takes nothing with it, and a restart finds all as it was.
"""
