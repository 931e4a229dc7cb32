/* process: to come */
#include "farside.h"

void far_open_process(lua_State *L) {
  (void)L;
}
