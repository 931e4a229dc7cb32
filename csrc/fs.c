/* fs: to come */
#include "farside.h"

void far_open_fs(lua_State *L) {
  (void)L;
}
