/* sluice - the user's and the operator's command. */
#include "base/fd.h"
#include "cli.h"

int main(int argc, char **argv)
{
    fd_take_standard();
    return cli_main(argc, argv);
}
