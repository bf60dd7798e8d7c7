"""Exim's utilities (chapter 54): one file each, named as the command. They read the queue, the hints and the logs; none needs a daemon."""
