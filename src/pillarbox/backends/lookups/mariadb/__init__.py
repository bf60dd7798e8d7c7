"""Asking a MariaDB or MySQL server by PyMySQL: pure Python, blocking, in a thread for each connection.

    connection  connecting and asking
    optionfile  MySQL's option files, which PyMySQL reads only in part

Only the lookup's first connection imports PyMySQL.
"""
